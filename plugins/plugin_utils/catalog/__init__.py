"""From service definitions, settings and the inventory to what each host shall have; on the control node alone."""
