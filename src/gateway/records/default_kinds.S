# default_kinds.json as bytes of the program. The include path names its folder.
    .section .rodata
    .global roost_default_kinds
    .global roost_default_kinds_end
roost_default_kinds:
    .incbin "default_kinds.json"
roost_default_kinds_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
