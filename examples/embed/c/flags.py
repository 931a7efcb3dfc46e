"""What a C compiler needs to embed this Python and fastpptp."""

import sysconfig

import fastpptp

get = sysconfig.get_config_var
library = f"python{get('LDVERSION') or get('py_version_short')}"
print(
    f"-I{sysconfig.get_path('include')} -I{fastpptp.get_include()}",
    f"-L{get('LIBDIR')} -L{get('LIBPL')} -Wl,-rpath,{get('LIBDIR')} -l{library}",
    get("LIBS") or "",
    get("SYSLIBS") or "",
    get("LINKFORSHARED") or "",
)
