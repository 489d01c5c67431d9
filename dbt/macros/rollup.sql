{#
    Two CTEs, `name`_sets and `name`: measures of the cube summed to every area level and period at once, with all departments
    together ('*') and each by itself. A level's figure is always the sum of its own cases, never a mean of smaller areas.

    periods: the columns of the cube to sum by (day, month). Rows without an area of a level belong to no area of that level;
    they still count for the levels above, so that districts plus the unlocated make the city.
#}
{% macro rolled_up(cube, name, levels, periods, measures, condition) %}
{{ name }}_sets as (
    select
        {%- for level in levels %}
        {{ level }}_id,
        grouping({{ level }}_id) as without_{{ level }},
        {%- endfor %}
        unit_id,
        grouping(unit_id) as without_unit,
        {%- for period in periods %}
        {{ period }},
        grouping({{ period }}) as without_{{ period }},
        {%- endfor %}
        {%- for measure in measures %}
        cast(sum({{ measure }}) as bigint) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ cube }}
    where {{ condition }}
    group by grouping sets (
        {%- for period in periods %}
        {%- set last = loop.last %}
        {%- for level in levels %}
        ({{ period }}, {{ level }}_id, unit_id),
        ({{ period }}, {{ level }}_id){{ ',' if not (last and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    )
),

{{ name }} as (
    select
        case
            {%- for level in levels %}
            when without_{{ level }} = 0 then '{{ level }}'
            {%- endfor %}
        end as area_level,
        case
            {%- for level in levels %}
            when without_{{ level }} = 0 then {{ level }}_id
            {%- endfor %}
        end as area_id,
        case when without_unit = 1 then '*' else unit_id end as dept_id,
        case
            {%- for period in periods %}
            when without_{{ period }} = 0 then '{{ period }}'
            {%- endfor %}
        end as period_kind,
        case
            {%- for period in periods %}
            when without_{{ period }} = 0 then {{ period }}
            {%- endfor %}
        end as period_start,
        {{ measures | join(',\n        ') }}
    from {{ name }}_sets
    where
        case
            {%- for level in levels %}
            when without_{{ level }} = 0 then {{ level }}_id
            {%- endfor %}
        end is not null
)
{%- endmacro %}

{# Per month and measure: what lies in a district and what lies in none, straight from the cube (for the test of the sums). #}
{% macro located_and_not() %}
    {%- for measure in flow_measures() %}
    select
        {{ month_start('day') }} as period_start,
        '{{ measure }}' as measure,
        sum(case when district_id is not null then {{ measure }} else 0 end) as located,
        sum(case when district_id is null then {{ measure }} else 0 end) as unlocated
    from {{ ref('int_case_day') }}
    where day <= (select {{ local_day('as_of') }} from ({{ data_horizon() }}) as h)
    group by {{ month_start('day') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}
