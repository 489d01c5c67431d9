{#
    The columns every staging model of a kind has, in this order. Core unions a city's feeds by these names, so a column
    that is missing in one staging model fails here and not three models later. kind_columns() is made from the kinds that
    catalog/feeds declares, city_feeds() from the city's feeds; both when the lake's project is put together.
#}
{% macro feed_columns(kind) %}
    {%- set load = [
        ['_delivery_id', 'text'], ['_load_seq', 'bigint'], ['_delivery_no', 'integer'], ['_source_row', 'bigint'],
        ['_is_deleted', 'boolean']
    ] -%}
    {%- if kind == 'class_map' -%}
        {{ return([
            ['source_code', 'text'], ['source_name', 'text'], ['edition', 'text'], ['kind', 'text'], ['code', 'text'],
            ['mapping_method', 'text']
        ]) }}
    {%- endif -%}
    {{ return(kind_columns()[kind] + load) }}
{% endmacro %}

{# The names of a feed's columns; `said` leaves out those that landing adds. #}
{% macro column_names(kind, said=false) %}
    {%- set names = [] -%}
    {%- for column in feed_columns(kind) if not (said and column[0].startswith('_')) -%}
        {%- do names.append(column[0]) -%}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}

{# The union of a city's feeds of one kind; a city without such a feed gets the columns and no row. #}
{% macro feed(kind) %}
    {%- set models = city_feeds().get(kind, []) -%}
    {%- for model in models %}
select
    {%- for column in feed_columns(kind) %}
    cast({{ column[0] }} as {{ column_type(column[1]) }}) as {{ column[0] }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref(model) }}
    {%- if not loop.last %}
union all
    {%- endif %}
    {%- endfor %}
    {%- if not models %}
select
    {%- for column in feed_columns(kind) %}
    cast(null as {{ column_type(column[1]) }}) as {{ column[0] }}{{ ',' if not loop.last }}
    {%- endfor %}
where 1 = 0
    {%- endif %}
{% endmacro %}

{% macro column_type(name) %}
    {{- return(adapter.dispatch('column_type', 'gridlake')(name)) -}}
{% endmacro %}

{% macro default__column_type(name) %}
    {{- return({'text': dbt.type_string(), 'geometry': 'binary'}.get(name, name)) -}}
{% endmacro %}

{% macro duckdb__column_type(name) %}
    {{- return({'text': 'varchar'}.get(name, name)) -}}
{% endmacro %}
