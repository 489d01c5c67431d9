{# Schemas are exactly staging, core and indicator: dbt's default would prefix them with the target's schema. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
