"""The SNMP agent, a process of its own: `python -m fastpptp.snmp`.

`tree.py` finds objects, what they are is declared in `objects/`, values come from the headend
through the control API (`source.py`); `reading.py`, `message.py` and `usm.py` are the wire.
"""
