{#
    mapped(seed, source_column, column='code'): the value that a mapping seed gives to a source's own code, as an expression.

    seed: name of a mapping seed (columns source_code, code, mapping_method, and for classes edition, kind).
    column: which column of the seed. A source code without a row gives 'unmapped' for code and mapping_method, NULL for any
    other column, so that an unknown code reaches the work list instead of quarantine.
    The max() keeps the subquery scalar on every engine; source_code is unique in each seed (tested).
#}
{% macro mapped(seed, source_column, column='code') -%}
    {%- set found = '(select max(m.' ~ column ~ ') from ' ~ ref(seed) ~ ' as m where m.source_code = cast('
        ~ source_column ~ ' as ' ~ dbt.type_string() ~ '))' -%}
    {%- if column in ['code', 'mapping_method'] -%}
        coalesce({{ found }}, 'unmapped')
    {%- else -%}
        {{ found }}
    {%- endif -%}
{%- endmacro %}
