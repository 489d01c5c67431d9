{#
    Where the last months of the data begin, as a literal (a day, or a month as text): a literal reaches the files' own statistics,
    so that a check of the newest months reads no others.
#}
{% macro first_of_newest_months(months, is_text=false) -%}
    {%- set first = months_before(month_start('as_of'), months - 1) -%}
    {%- set state = ref('mart_state') -%}
    {%- set found = none -%}
    {%- if execute -%}
        {%- set found = run_query(
            'select ' ~ (month_text(first) if is_text else 'cast(' ~ first ~ ' as ' ~ column_type('text') ~ ')') ~ ' from '
            ~ state
        ).rows[0][0] -%}
    {%- endif -%}
    {%- if is_text -%}
        '{{ found or '0000-00' }}'
    {%- else -%}
        date '{{ found or '1970-01-01' }}'
    {%- endif -%}
{%- endmacro %}
