"""Generated from the platform's OpenAPI document; not edited by hand."""
