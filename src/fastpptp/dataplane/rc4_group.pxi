# A group of streams as a whole, in whichever shape: see rc4.pxi.

cdef void rc4_group_schedule(rc4_space *space, rc4_group *g, rc4_shape shape) noexcept nogil:
    if shape.kernel == RC4_STREAMS:
        rc4_x86_schedules(space.table, g.key, shape.width)
    elif shape.width == 32:
        rc4_x32_schedule(space.matrix, g)
    elif shape.width == 16:
        rc4_x16_schedule(space.matrix, g)
    elif shape.width == 8:
        rc4_x8_schedule(space.matrix, g)
    elif shape.width == 3:
        rc4_schedules(space.table, g.key, 3)
    elif shape.width == 2:
        rc4_schedules(space.table, g.key, 2)
    else:
        rc4_schedule(space.lone, g.key[0])


cdef inline bint rc4_is_lone(rc4_shape shape) noexcept nogil:
    """Whether the stream runs on octets, a table at rest itself or space.lone."""
    return shape.kernel == RC4_PORTABLE and shape.width == 1


cdef void rc4_lanes_crypt(rc4_space *space, rc4_group *g, int width, bint exact) noexcept nogil:
    """A group's longest packets are in its first lanes, so that half the lanes can finish it."""
    cdef uint32_t offset = 0
    if width > 8:
        offset = rc4_x16_crypt(space.matrix, g, 0, 8, exact)
    rc4_x8_crypt(space.matrix, g, offset, 0, exact)
    if width == 32:
        offset = rc4_x16_crypt(space.matrix + 1, g + 1, 0, 8, exact)
        rc4_x8_crypt(space.matrix + 1, g + 1, offset, 0, exact)


cdef void rc4_crypt_fresh(rc4_space *space, rc4_group *g, rc4_shape shape) noexcept nogil:
    """Each lane's packet under its key. A width of 32 is two groups."""
    cdef int q, lane
    for q in range(2 if shape.width == 32 else 1):
        for lane in range(min(shape.width, 16)):
            g[q].rotation[lane] = ROW
            g[q].j[lane] = <uint32_t> -ROW
    rc4_group_schedule(space, g, shape)
    if shape.kernel == RC4_LANES:
        rc4_lanes_crypt(space, g, shape.width, False)
    elif rc4_is_lone(shape):
        rc4_lone_crypt(space.lone, g)
    else:
        rc4_streams_crypt(space, g, shape)


cdef inline void rc4_widen(const uint8_t *table, uint32_t *wide) noexcept nogil:
    cdef uint8_t copy[256]       # its own memory, so that the compiler may take many at once
    cdef int k
    memcpy(copy, table, 256)
    for k in range(256):
        wide[k] = copy[k]


cdef inline void rc4_narrow(const uint32_t *wide, uint8_t *table) noexcept nogil:
    cdef uint8_t copy[256]
    cdef int k
    for k in range(256):
        copy[k] = <uint8_t> wide[k]
    memcpy(table, copy, 256)


cdef void rc4_group_load(rc4_space *space, rc4_group *g, rc4_shape shape) noexcept nogil:
    cdef int lane
    if shape.kernel == RC4_LANES and shape.width == 16:
        rc4_x16_load(space.matrix, g)
    elif shape.kernel == RC4_LANES:
        rc4_x8_load(space.matrix, g)
    else:
        for lane in range(shape.width):
            if shape.kernel == RC4_STREAMS:
                rc4_x86_widen(g.table[lane], space.table[lane])
            else:
                rc4_widen(g.table[lane], space.table[lane])


cdef void rc4_group_save(rc4_space *space, rc4_group *g, rc4_shape shape) noexcept nogil:
    cdef int lane
    if shape.kernel == RC4_LANES and shape.width == 16:
        rc4_x16_save(space.matrix, g)
    elif shape.kernel == RC4_LANES:
        rc4_x8_save(space.matrix, g)
    else:
        for lane in range(shape.width):
            if shape.kernel == RC4_STREAMS:
                rc4_x86_narrow(space.table[lane], g.table[lane])
            else:
                rc4_narrow(space.table[lane], g.table[lane])


cdef void rc4_crypt_tables(rc4_space *space, rc4_group *g, rc4_shape shape) noexcept nogil:
    """Each lane's packet, going on with the table at rest in g.table, of which g.rotation and g.j say
    where it stands; both are kept up."""
    if rc4_is_lone(shape):
        rc4_lone_crypt(g.table[0], g)
        return
    rc4_group_load(space, g, shape)
    if shape.kernel == RC4_LANES:
        rc4_lanes_crypt(space, g, shape.width, True)
    else:
        rc4_streams_crypt(space, g, shape)
    rc4_group_save(space, g, shape)
