{#
    A text that is the same for the same shape: the key of components that carry no number.

    With is_rounded the coordinates are cut to a millionth of a degree (0.1 m), for a source that writes the same
    line with other last digits in its next snapshot. Only for layers where that was measured: rounding makes very
    short lines and very small outlines empty, and all empty shapes are the same.
#}
{% macro geometry_key(geometry, is_rounded=false) -%}
    {{ adapter.dispatch('geometry_key', 'gridlake')(geometry, is_rounded) }}
{%- endmacro %}

{% macro default__geometry_key(geometry, is_rounded) -%}
    {{ gridlake.geo_missing('geometry_key') }}
{%- endmacro %}

{% macro duckdb__geometry_key(geometry, is_rounded) -%}
    {%- set shape = 'st_reduceprecision(' ~ geometry ~ ', 0.000001)' if is_rounded else geometry -%}
    md5(st_ashexwkb({{ shape }}))
{%- endmacro %}
