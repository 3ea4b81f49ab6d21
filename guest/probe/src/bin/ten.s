# Ten instructions between the PVH entry and power-off: the shortest guest that still looks as a kernel does at its
# first moments (reads the start info, sets up a stack, stores, loops, talks to a port). 32-bit, paging off.
    .code32
    cli
    mov     esp, 0x9000
    mov     eax, dword ptr [ebx]
    push    eax
    pop     ecx
    xor     eax, eax
    mov     edx, 0x600
    mov     al, 0x34
    out     dx, al
9:  hlt
    jmp     9b
    .code64
