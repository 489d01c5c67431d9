{#
    The columns every staging model of a kind has, in this order. Core unions a city's feeds by these names, so a column
    that is missing in one staging model fails here and not three models later.
#}
{% macro feed_columns(kind) %}
    {%- set load = [
        ['_delivery_id', 'text'], ['_load_seq', 'bigint'], ['_delivery_no', 'integer'], ['_source_row', 'bigint'],
        ['_is_deleted', 'boolean']
    ] -%}
    {%- set columns = {
        'case': [
            ['source_system', 'text'], ['source_case_id', 'text'], ['layer', 'text'], ['version_at', 'timestamp'],
            ['class_edition', 'text'], ['class_kind', 'text'], ['class_code', 'text'], ['source_class_code', 'text'],
            ['source_class_name', 'text'], ['class_mapping_method', 'text'], ['channel_code', 'text'],
            ['source_channel_code', 'text'], ['status_code', 'text'], ['source_status_code', 'text'],
            ['status_mapping_method', 'text'], ['urgency_code', 'text'], ['dept_id', 'text'], ['source_dept_code', 'text'],
            ['source_grid_id', 'text'], ['source_district_code', 'text'], ['lon', 'double'], ['lat', 'double'],
            ['reported_at', 'timestamp'], ['filed_at', 'timestamp'], ['dispatched_at', 'timestamp'],
            ['handled_at', 'timestamp'], ['checked_at', 'timestamp'], ['closed_at', 'timestamp'],
            ['file_due_at', 'timestamp'], ['dispatch_due_at', 'timestamp'], ['handle_due_at', 'timestamp'],
            ['close_due_at', 'timestamp'], ['is_public_report', 'boolean'], ['is_supervised', 'boolean'],
            ['is_cancelled', 'boolean'], ['rework_count', 'integer'], ['return_count', 'integer']],
        'component': [
            ['source_system', 'text'], ['component_id', 'text'], ['layer', 'text'], ['version_at', 'timestamp'],
            ['class_edition', 'text'], ['class_code', 'text'], ['source_class_code', 'text'],
            ['class_mapping_method', 'text'], ['component_name', 'text'], ['source_grid_id', 'text'],
            ['source_district_code', 'text'], ['status_code', 'text'], ['source_status_code', 'text'],
            ['owner_dept_id', 'text'], ['geometry', 'geometry'], ['surveyed_date', 'date']],
        'permit': [
            ['source_system', 'text'], ['permit_id', 'text'], ['version_at', 'timestamp'], ['permit_type_code', 'text'],
            ['source_permit_type', 'text'], ['permit_type_mapping_method', 'text'], ['decision_code', 'text'],
            ['source_decision_code', 'text'], ['dept_id', 'text'], ['source_district_code', 'text'], ['lon', 'double'],
            ['lat', 'double'], ['applied_at', 'timestamp'], ['accepted_at', 'timestamp'], ['due_at', 'timestamp'],
            ['decided_at', 'timestamp'], ['valid_from', 'date'], ['valid_to', 'date']],
        'area': [
            ['source_system', 'text'], ['area_level', 'text'], ['area_id', 'text'], ['parent_area_id', 'text'],
            ['area_name_zh', 'text'], ['area_name_en', 'text'], ['version_at', 'timestamp'], ['geometry', 'geometry'],
            ['valid_from', 'date'], ['valid_to', 'date']],
        'department': [
            ['source_system', 'text'], ['dept_id', 'text'], ['dept_name_zh', 'text'], ['dept_name_en', 'text'],
            ['parent_dept_id', 'text'], ['dept_kind', 'text'], ['version_at', 'timestamp']],
        'class_map': [
            ['source_code', 'text'], ['source_name', 'text'], ['edition', 'text'], ['kind', 'text'], ['code', 'text'],
            ['mapping_method', 'text']]
    } -%}
    {{ return(columns[kind] + (load if kind != 'class_map' else [])) }}
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
    {%- set models = var('feeds')[env_var('GRIDLAKE_CITY', 'demo')].get(kind, []) -%}
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
