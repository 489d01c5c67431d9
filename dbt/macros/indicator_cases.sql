{#
    The cases behind the indicators: one SELECT for each indicator and version, with everything that is the same for all of its
    rows written as a constant. A question for one indicator is then a question to one of them, and its month one to one column.
#}

{# The first month that begins on or after a day: a definition holds for the periods that begin while it is in force. #}
{% macro first_month_from(day) -%}
    {{ month_text('case when ' ~ day ~ ' = ' ~ month_start(day) ~ ' then ' ~ day ~ ' else ' ~ next_month_start(day) ~ ' end') }}
{%- endmacro %}

{# {at, condition, amount} of a measure: the event it is counted by, which events count, and what each counts; none if no case does. #}
{% macro case_measure(name) %}
    {%- for basis in measure_bases() -%}
        {%- for measure in basis[2] if measure[0] == name -%}
            {{ return({'at': basis[0], 'condition': basis[1], 'amount': measure[1]}) }}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}

{# The column of mart_case with the month of an event. #}
{% macro event_month(at) %}
    {{- return({'reported_at': 'month', 'filing_at': 'filed_month'}.get(at, at | replace('_at', '_month'))) -}}
{% endmacro %}

{# Columns of a case that stand beside the figures, as mart_case and mart_case_open both have them. #}
{% macro case_facts() %}
    {%- set facts = ['case_id', 'class_id'] -%}
    {%- for column in [
        'class_name', 'large_class_name', '-class_kind', 'class_kind_name', '-channel_code', 'channel_name', '-status_code',
        'status_name', '-urgency_code', 'urgency_name', '-dept_id', 'dept_name', '-grid_id', '-community_id', 'community_name',
        '-street_id', 'street_name', '-district_id', 'district_name', '-lon', '-lat', '-reported_at', '-handled_at', '-closed_at',
        '-source_system'
    ] -%}
        {%- if column.startswith('-') -%}
            {%- do facts.append(column[1:]) -%}
        {%- else -%}
            {%- do facts.extend([column ~ '_zh', column ~ '_en']) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(facts) }}
{% endmacro %}

{#
    cases, open_cases: mart_case and mart_case_open, or relations with the columns of them that are counted and carried.
    facts: the columns to carry; since: a literal day, before which no event is listed.
#}
{% macro indicator_cases(cases, open_cases, facts, since=none) %}
    {%- set selects = [] -%}
    {%- for indicator in counted_indicators() if indicator.get('is_recorded', true) -%}
        {%- set stock = stock_measures() -%}
        {%- if indicator['numerator_measure'] in stock -%}
            {%- do selects.append(stock_cases(indicator, stock, open_cases, facts)) -%}
        {%- else -%}
            {%- set above = case_measure(indicator['numerator_measure']) -%}
            {%- set below = case_measure(indicator['denominator_measure']) -%}
            {%- if below and above['at'] == below['at'] -%}
                {%- do selects.append(flow_cases(indicator, below, above['amount'], below['amount'], cases, facts, since)) -%}
            {%- elif below -%}
                {#- counted by different events: a case stands once for each -#}
                {%- do selects.append(flow_cases(indicator, above, above['amount'], '0', cases, facts, since)) -%}
                {%- do selects.append(flow_cases(indicator, below, '0', below['amount'], cases, facts, since)) -%}
            {%- elif above -%}
                {%- do selects.append(flow_cases(indicator, above, above['amount'], none, cases, facts, since)) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ selects | join('\nunion all\n') }}
{% endmacro %}

{# What the source of a figure never tells per case: whether another case came before in the same grid is known of the sums only. #}
{% macro known_amount(measure, amount) -%}
    cast({{ 'null' if measure == 'repeat_count' else amount }} as double)
{%- endmacro %}

{% macro indicator_constants(indicator) -%}
    '{{ indicator['code'] }}' as indicator_code,
    '{{ indicator['name_zh'] | replace("'", "''") }}' as indicator_name_zh,
    '{{ indicator['name_en'] | replace("'", "''") }}' as indicator_name_en,
    '{{ indicator['version'] }}' as definition_version,
    '{{ indicator['node'] }}' as node,
    '{{ indicator['unit'] | replace("'", "''") }}' as unit,
    cast({{ indicator['factor'] }} as double) as factor
{%- endmacro %}

{% macro flow_cases(indicator, counted, numerator, denominator, cases, facts, since) %}
    {%- set month = event_month(counted['at']) -%}
    {%- set amount = known_amount(indicator['numerator_measure'], numerator) -%}
    {%- set counts = numerator if denominator is none or denominator == '0' else denominator -%}
select
    {{ indicator_constants(indicator) }},
    {{ month }} as month,
    {{ counted['at'] }} as event_at,
    {{ amount }} <> 0 as is_in_numerator,
    {{ amount }} as numerator_amount,
    cast({{ 'null' if denominator is none else denominator }} as double) as denominator_amount,
    {{ counted['at'] if counted['at'] in due_columns() else 'close_due_at' }} as due_at,
    {{ facts | join(',\n    ') }}
from (
    select
        c.*,
        s.as_of,
        {{ filing_at() }} as filing_at,
        {{ handling_from() }} as handling_from
    from {{ cases }} as c
    cross join {{ ref('mart_state') }} as s
) as cases
where
    {{ month }} >= '{{ indicator['first_month'] }}'
    {%- if indicator['end_month'] %}
    and {{ month }} < '{{ indicator['end_month'] }}'
    {%- endif %}
    and {{ counted['at'] }} is not null
    {%- if since %}
    and {{ counted['at'] }} >= {{ since }}
    {%- endif %}
    and {{ local_day(counted['at']) }} <= {{ local_day('as_of') }}
    {%- if counted['condition'] %}
    and {{ counted['condition'] }}
    {%- endif %}
    {%- if counts != '1' %}
    and {{ counts }} <> 0
    {%- endif %}
{% endmacro %}

{% macro stock_cases(indicator, stock, cases, facts) %}
    {%- set amount = stock[indicator['numerator_measure']] -%}
    {%- set denominator = stock.get(indicator['denominator_measure'], 'null') -%}
select
    {{ indicator_constants(indicator) }},
    newest_month as month,
    opened_at as event_at,
    {{ amount }} <> 0 as is_in_numerator,
    cast({{ amount }} as double) as numerator_amount,
    cast({{ denominator }} as double) as denominator_amount,
    close_due_at as due_at,
    {{ facts | join(',\n    ') }}
from (
    select
        c.*,
        s.newest_month
    from {{ cases }} as c
    cross join {{ ref('mart_state') }} as s
) as cases
where
    newest_month >= '{{ indicator['first_month'] }}'
    {%- if indicator['end_month'] %}
    and newest_month < '{{ indicator['end_month'] }}'
    {%- endif %}
{% endmacro %}
