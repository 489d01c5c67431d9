{#
    What the definitions of the indicators say, read when a model is compiled: each version becomes a SELECT of its own with everything
    that is the same for all of its rows written as a constant.
#}

{# The rows of indicator_definition as a list of mappings, by code and version; empty while dbt only parses. #}
{% macro counted_indicators() %}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set next_from = 'lead(d.valid_from) over (partition by d.code order by d.valid_from)' -%}
    {%- set rows = run_query(
        'select d.code, d.version, coalesce(d.name_zh, d.name_en) as name_zh, coalesce(d.name_en, d.name_zh) as name_en, d.node, '
        ~ "d.unit, d.factor, d.numerator_measure, d.denominator_measure, d.ground_measure, d.min_n, d.object like '%department%' as is_of_units, "
        ~ 'l.level_no as lowest_no, ld.level_no as lowest_day_no, n.indicator_code is null as is_recorded, '
        ~ first_month_from('d.valid_from') ~ ' as first_month, ' ~ first_month_from(next_from) ~ ' as end_month, '
        ~ 'cast(d.valid_from as ' ~ column_type('text') ~ ') as first_day, '
        ~ 'cast(' ~ next_from ~ ' as ' ~ column_type('text') ~ ') as end_day '
        ~ 'from ' ~ ref('indicator_definition') ~ ' as d '
        ~ 'inner join ' ~ ref('area_level') ~ ' as l on d.lowest_level = l.code '
        ~ 'inner join ' ~ ref('area_level') ~ ' as ld on d.lowest_level_day = ld.code '
        ~ 'left join (select distinct indicator_code, definition_version from ' ~ ref('indicator_not_recorded')
        ~ ') as n on d.code = n.indicator_code and d.version = n.definition_version order by d.code, d.valid_from'
    ).rows -%}
    {%- set found = [] -%}
    {%- for row in rows -%}
        {%- do found.append(row.dict()) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{# Measures of the state at the end of a period, each with the column of mart_case_open that it sums. #}
{% macro stock_measures() %}
    {{ return({'open_count': '1', 'open_age_days': 'age_days'}) }}
{% endmacro %}

{# A stock indicator is one of the state at the end of a period (condition over indicator_definition). #}
{% macro is_stock() -%}
    numerator_measure in ('{{ stock_measures() | join("', '") }}')
{%- endmacro %}

{#
    Whether a figure says anything: some source of the city records what it rests on, and so do sources of the place's own reports. A
    place without a report has none that could be unknown.
#}
{% macro is_known(indicator) -%}
    {%- if not indicator['is_recorded'] -%}
        false
    {%- elif indicator['ground_measure'] -%}
        {{ indicator['ground_measure'] }} <> 0 or reported_count = 0 or {{ indicator['numerator_measure'] }} <> 0
        {%- if indicator['denominator_measure'] and indicator['denominator_measure'] != 'area_km2_30d' %} or {{ indicator['denominator_measure'] }} <> 0{% endif %}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#
    The figures of all indicators, from two relations with one row per place and period: the flows, a column for each measure, and
    the stocks. A row stands where there is something to count; by month for all units every indicator is there, and for a unit in the
    city or a district each that is unknown of all its reports, so that a page says so instead of leaving the place empty.
#}
{% macro figures_of_indicators(flows, stocks) %}
    {%- for indicator in counted_indicators() %}
    {%- set above, below = indicator['numerator_measure'], indicator['denominator_measure'] %}
    {%- set ground = indicator['ground_measure'] if indicator['is_recorded'] else '0' %}
    {%- if below and (above in stock_measures()) != (below in stock_measures()) %}
        {%- do exceptions.raise_compiler_error(
            "indicator_definition: " ~ indicator['code'] ~ " divides a stock by a flow, or a flow by a stock. "
            ~ "Fix: choose both measures of one kind"
        ) %}
    {%- endif %}
    select
        '{{ indicator['code'] }}' as indicator_code,
        '{{ indicator['version'] }}' as definition_version,
        area_level,
        area_id,
        dept_id,
        period_kind,
        period_start,
        cast({{ above }} as double) as numerator,
        cast({{ 'coalesce(' ~ below ~ ', 0)' if below else 'null' }} as double) as denominator,
        {{ 'true' if below else 'false' }} as has_denominator,
        cast({{ indicator['factor'] }} as double) as factor,
        {{ indicator['min_n'] }} as min_n,
        cast({{ ground or 'reported_count' }} as bigint) as recorded_count,
        cast(reported_count as bigint) as reported_count,
        {{ is_known(indicator) }} as is_recorded
    from {{ stocks if above in stock_measures() else flows }}
    where
        period_start >= date '{{ indicator['first_day'] }}'
        {%- if indicator['end_day'] %}
        and period_start < date '{{ indicator['end_day'] }}'
        {%- endif %}
        and level_no <= case when period_kind = 'day' then {{ indicator['lowest_day_no'] }} else {{ indicator['lowest_no'] }} end
        {%- if not indicator['is_of_units'] %}
        and dept_id = '*'
        {%- endif %}
        and (
            {{ above }} <> 0{{ ' or ' ~ below ~ ' <> 0' if below }}
            or (period_kind = 'month' and (dept_id = '*'{% if ground %} or (level_no <= 2 and {{ ground }} = 0 and reported_count <> 0){% endif %}))
        )
    {{ 'union all' if not loop.last }}
    {%- else %}
    {#- while dbt only parses, and where a city has no indicator at all -#}
    select
        cast(null as {{ column_type('text') }}) as indicator_code,
        cast(null as {{ column_type('text') }}) as definition_version,
        area_level,
        area_id,
        dept_id,
        period_kind,
        period_start,
        cast(null as double) as numerator,
        cast(null as double) as denominator,
        false as has_denominator,
        cast(null as double) as factor,
        0 as min_n,
        cast(null as bigint) as recorded_count,
        cast(null as bigint) as reported_count,
        true as is_recorded
    from {{ flows }}
    where 1 = 0
    {%- endfor %}
{% endmacro %}
