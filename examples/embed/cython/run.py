"""run.py OUTER INNER CALL_ID PEER_CALL_ID SEND_KEY RECEIVE_KEY: see ../c/endpoint.c."""

import sys

import endpoint

if len(sys.argv) != 7:
    sys.exit(__doc__)
numbers = [int(word) for word in sys.argv[1:5]]
keys = [bytes.fromhex(word) for word in sys.argv[5:]]
sent, received, dropped = endpoint.serve(*numbers, *keys)
print(f"sent {sent}, received {received}, dropped {dropped}")
