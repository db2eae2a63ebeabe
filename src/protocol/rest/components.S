# openapi_components.json as bytes of the program. The include path names its folder.
    .section .rodata
    .global roost_openapi_components
    .global roost_openapi_components_end
roost_openapi_components:
    .incbin "openapi_components.json"
roost_openapi_components_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
