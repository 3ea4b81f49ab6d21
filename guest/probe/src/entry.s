# From the PVH entry to ring 3, and back for interrupts. See entry.rs for the why.
# Selectors: 8 code and 16 data of ring 0, 24 data and 32 code of ring 3, 40 TSS.

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18                      # name size, value size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_entry

# One stub of 16 bytes a vector, so that the address in a gate is arithmetic.
    .section .vectors, "ax"
vectors:
    .set vector, 0
    .rept 32                            # exceptions: all become vector and error code
    .balign 16
    .if vector == 6
    jmp     undefined
    .else
    .if (vector != 8) && (vector != 10) && (vector != 11) && (vector != 12) && (vector != 13) && (vector != 14) && (vector != 17) && (vector != 21) && (vector != 29) && (vector != 30)
    push    0
    .endif
    push    vector
    jmp     exception
    .endif
    .set vector, vector + 1
    .endr
    .rept 31                            # interrupts 0x20 to 0x3e: counted
    .balign 16
    inc     qword ptr [interrupts + 8 * (vector - 32)]
    jmp     end_of_interrupt
    .set vector, vector + 1
    .endr
    .balign 16                          # 0x3f: the local APIC's spurious interrupt wants no EOI
    iretq
    .balign 16

    .section .entry, "ax"
    .code32
    .globl pvh_entry
pvh_entry:
    cli
    cld
    mov     esp, offset ring0_stack_top
    mov     dword ptr [start_info_address], ebx
    mov     dword ptr [tss + 4], esp    # rsp0
    mov     word ptr [tss + 102], 104   # the I/O bitmap follows: all zero, so ring 3 may use every port
    mov     byte ptr [tss + 104 + 8192], 0xff
    mov     eax, offset tss             # the one descriptor whose base is cut in pieces
    mov     word ptr [gdt + 40 + 2], ax
    shr     eax, 16
    mov     byte ptr [gdt + 40 + 4], al
    mov     byte ptr [gdt + 40 + 7], ah
    mov     eax, cr4
    or      eax, 0x620                  # PAE, OSFXSR, OSXMMEXCPT
    mov     cr4, eax
    mov     eax, offset pml4
    mov     cr3, eax
    mov     ecx, 0x1b                   # IA32_APIC_BASE.EXTD: which way to the local APIC
    rdmsr
    shr     eax, 10
    and     eax, 1
    mov     dword ptr [x2apic], eax
    mov     ecx, 0xc0000080             # EFER.LME
    rdmsr
    or      eax, 0x100
    wrmsr
    mov     eax, cr0
    and     eax, 0xfffffff3             # neither EM nor TS: SSE is used
    or      eax, 0x80000002             # PG, MP
    mov     cr0, eax
    lgdt    [gdt_pointer]
    .byte   0xea                        # ljmp 8:long_mode
    .long   long_mode
    .word   8

    .code64
long_mode:
    mov     eax, 16
    mov     ss, eax
    mov     esp, offset ring0_stack_top
    lidt    [idt_pointer]
    mov     eax, 40
    ltr     ax
    mov     eax, 27
    mov     ds, eax
    mov     es, eax
    mov     edi, dword ptr [start_info_address]
    push    27                          # ring 3: ss, rsp, rflags with IF, cs, rip
    push    offset ring3_stack_top - 8  # as if called: the ABI wants rsp + 8 aligned to 16
    push    0x202
    push    35
    push    offset ring3
    iretq

# Ring 3 does not go on after an exception: it is told what happened, on a fresh stack, at `ring3_fault`.
exception:
    pop     qword ptr [fault]
    pop     qword ptr [fault + 8]
    mov     rax, qword ptr [rsp]
    mov     qword ptr [fault + 16], rax
    mov     rax, cr2
    mov     qword ptr [fault + 24], rax
    mov     esp, offset ring0_stack_top
    push    27
    push    offset fault_stack_top - 8
    push    0x202
    push    35
    push    offset ring3_fault
    iretq

end_of_interrupt:
    push    rax
    cmp     dword ptr [x2apic], 0
    jne     end_of_interrupt_msr
    mov     eax, 0xfee000b0
    mov     dword ptr [rax], 0
    pop     rax
    iretq
end_of_interrupt_msr:
    push    rcx
    push    rdx
    mov     ecx, 0x80b
    xor     eax, eax
    xor     edx, edx
    wrmsr
    pop     rdx
    pop     rcx
    pop     rax
    iretq

# What ring 3 cannot do for itself, asked for by `ud2` with r11d = 0x111c0: eax selects.
undefined:
    cmp     r11d, 0x111c0
    jne     undefined_indeed
    add     qword ptr [rsp], 2          # go on behind the ud2
    cmp     eax, 1
    je      service_loop
    cmp     eax, 2
    je      service_rdmsr
    cmp     eax, 3
    je      service_wrmsr
    cmp     eax, 4
    je      service_crash
service_wait:                           # 0: halt until [rcx] is no longer rdx. The gate turned interrupts off;
    cmp     qword ptr [rcx], rdx        # sti holds them back until hlt, so none is lost between the two.
    jne     service_done
    sti
    hlt
    cli
    jmp     service_wait
service_loop:                           # 1: rcx times two instructions
    dec     rcx
    jnz     service_loop
service_done:
    iretq
service_rdmsr:                          # 2: ecx to edx:eax
    rdmsr
    iretq
service_wrmsr:                          # 3: rdx to ecx
    mov     eax, edx
    shr     rdx, 32
    wrmsr
    iretq
service_crash:                          # 4: no gates: the next event is a triple fault
    lidt    [null_pointer]
    iretq
undefined_indeed:
    push    0
    push    6
    jmp     exception

    .section .tables, "aw"
    .balign 4096
    .globl pml4, page_directory_pointers
pml4:
    .quad   page_directory_pointers + 7
    .fill   511, 8, 0
page_directory_pointers:
    .quad   page_directories + 7, page_directories + 0x1007, page_directories + 0x2007, page_directories + 0x3007
    .fill   508, 8, 0
page_directories:                       # 0 to 4 GiB, 2 MiB pages: present, writable, user
    .set page, 0
    .rept 2048
    .quad   page + 0x87
    .set page, page + 0x200000
    .endr
gdt:
    .quad   0
    .quad   0x00af9a000000ffff, 0x00cf92000000ffff
    .quad   0x00cff2000000ffff, 0x00affa000000ffff
    .quad   0x0000890000002068, 0
gdt_pointer:
    .word   . - gdt - 1
    .quad   gdt
    .balign 16
idt:                                    # interrupt gates of ring 0 code
    .set gate, 0x200000
    .rept 64
    .word   gate & 0xffff, 8, 0x8e00, gate >> 16
    .quad   0
    .set gate, gate + 16
    .endr
idt_pointer:
    .word   . - idt - 1
    .quad   idt
null_pointer:
    .word   0
    .quad   0

    .section .bss.entry, "aw", @nobits
    .balign 16
    .skip   4096
ring0_stack_top:
    .skip   65536
ring3_stack_top:
    .skip   16384
fault_stack_top:
tss:
    .skip   104 + 8192 + 8
    .globl start_info_address, fault, interrupts, x2apic
x2apic:
    .skip   8
start_info_address:
    .skip   8
fault:
    .skip   32
interrupts:
    .skip   31 * 8
    .text
