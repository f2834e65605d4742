def write(r): return ""
