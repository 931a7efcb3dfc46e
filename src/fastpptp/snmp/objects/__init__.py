"""All objects that the agent serves, a module for each MIB."""

from fastpptp.snmp.mib import Group
from fastpptp.snmp.objects.event import EVENT
from fastpptp.snmp.objects.mib2 import SNMP_GROUP, SYSTEM_GROUP
from fastpptp.snmp.objects.ppp import PPP
from fastpptp.snmp.objects.pptp import PPTP
from fastpptp.snmp.objects.session import SESSION

GROUPS: tuple[Group, ...] = (SYSTEM_GROUP, SNMP_GROUP, PPTP, EVENT, PPP, SESSION)
