{{ config(
    materialized='incremental', incremental_strategy='recompute', on_schema_change='append_new_columns', upstream='int_case_day',
    unique_key=['indicator_code', 'area_level', 'area_id', 'dept_id', 'period_kind', 'period_start'],
    batch_by='period_start', pre_hook='select 1', post_hook='{{ record_position() }}'
) }}
{%- set levels = ['grid', 'community', 'street', 'district', 'city'] %}
{%- set changes = only_changes() %}

with horizon as (
    select {{ local_day('as_of') }} as last_day from ({{ data_horizon() }}) as h
),

{%- if changes %}
touched as (
    {{ touched_cube_days() }}
),

touched_month as (
    select distinct {{ month_start('day') }} as month from touched
),
{%- endif %}

cube as (
    select
        c.*,
        {{ month_start('c.day') }} as month,
        coalesce(c.dept_id, 'unassigned') as unit_id
    from {{ ref('int_case_day') }} as c
    where c.day <= (select last_day from horizon)
),

flow_cube as (
    select * from cube
    where
        {{ in_batch('day') }}
        {%- if changes %}
        and month in (select month from touched_month)
        {%- endif %}
),

{{ rolled_up('flow_cube', 'flow_rolled', levels, ['day', 'month'], flow_measures(), '1 = 1') }},

flow_period as (
    select
        f.*,
        l.level_no,
        a.area_km2 * (
            case
                when f.period_kind = 'day' then 1
                else {{ day_number('least(' ~ add_days(next_month_start('f.period_start'), -1) ~ ', h.last_day)') }}
                    - {{ day_number('f.period_start') }} + 1
            end
        ) / 30.0 as area_km2_30d
    from flow_rolled as f
    cross join horizon as h
    inner join {{ ref('area_level') }} as l on f.area_level = l.code
    left join {{ ref('dim_area') }} as a on f.area_level = a.area_level and f.area_id = a.area_id
    {%- if changes %}
    where f.period_kind = 'month' or f.period_start in (select day from touched)
    {%- endif %}
),

bounds as (
    select min(c.day) as first_day, max(h.last_day) as last_day
    from cube as c
    cross join horizon as h
),

spine as (
    {{ day_spine('first_day', 'last_day', 'bounds') }}
),

period_end as (
    select * from (
        select 'day' as period_kind, day as period_start, day as end_day from spine
        union all
        select 'month' as period_kind, {{ month_start('day') }} as period_start, max(day) as end_day
        from spine
        group by {{ month_start('day') }}
    ) as period
    where
        {{ in_batch('period_start') }}
        {%- if changes %}
        and period_start >= (
            select case when period_kind = 'day' then min(day) else {{ month_start('min(day)') }} end from touched
        )
        {%- endif %}
),

-- what went before the first period to be told is one sum, and summed once for all levels: the longer the history, the less of
-- it is looked at; what comes after the last period is not looked at
stock_cube as (
    select
        {{ levels | join('_id, ') }}_id,
        unit_id,
        greatest(cube.day, {{ add_days('first_period.day', -1) }}) as day,
        {%- for flow in stock_sums() %}
        cast(sum({{ flow }}) as bigint) as {{ flow }}{{ ',' if not loop.last }}
        {%- endfor %}
    from cube
    cross join (select min(period_start) as day from period_end) as first_period
    where
        (opened_count <> 0 or ended_count <> 0 or reported_count <> 0)
        and {{ until_batch_ends('cube.day') }}
    group by
        {{ levels | join('_id, ') }}_id,
        unit_id,
        greatest(cube.day, {{ add_days('first_period.day', -1) }})
),

{{ rolled_up('stock_cube', 'stock_flow', levels, ['day'], stock_sums(), '1 = 1') }},

-- what is open after each day on which something was opened or ended, and until when that holds
stock_state as (
    select
        area_level,
        area_id,
        dept_id,
        period_start as first_day,
        lead(period_start) over (partition by area_level, area_id, dept_id order by period_start) as next_day,
        sum(opened_count - ended_count) over (
            partition by area_level, area_id, dept_id order by period_start
        ) as open_count,
        sum(opened_day_sum - ended_day_sum) over (
            partition by area_level, area_id, dept_id order by period_start
        ) as day_sum,
        -- of how many reports up to then it is known whether they are open
        sum(stock_recorded_count) over (
            partition by area_level, area_id, dept_id order by period_start
        ) as stock_recorded_count,
        sum(reported_count) over (
            partition by area_level, area_id, dept_id order by period_start
        ) as reported_count
    from stock_flow
),

stock_period as (
    select
        s.area_level,
        s.area_id,
        s.dept_id,
        p.period_kind,
        p.period_start,
        l.level_no,
        s.open_count,
        s.open_count * {{ day_number('p.end_day') }} - s.day_sum as open_age_days,
        s.stock_recorded_count,
        s.reported_count
    from stock_state as s
    inner join period_end as p
        on s.first_day <= p.end_day and (s.next_day is null or s.next_day > p.end_day)
    inner join {{ ref('area_level') }} as l on s.area_level = l.code
    where
        (
            s.open_count <> 0
            or (p.period_kind = 'month' and (s.dept_id = '*' or (l.level_no <= 2 and s.stock_recorded_count = 0)))
        )
        -- day by day down to the level that any stock indicator is defined for
        and (p.period_kind = 'month' or s.area_level in ('city', 'district', 'street'))
),

-- one look at the sums for each definition, in the order of {{ ref('indicator_definition') }}, and whether a source
-- records what it rests on ({{ ref('indicator_not_recorded') }}): nothing is joined or grouped again
figure as (
    {{ figures_of_indicators('flow_period', 'stock_period') }}
)

select
    indicator_code,
    definition_version,
    area_level,
    area_id,
    dept_id,
    period_kind,
    period_start,
    case when is_recorded then numerator end as numerator,
    case when is_recorded then denominator end as denominator,
    case
        when not is_recorded then null
        when not has_denominator then factor * numerator
        when denominator > 0 then factor * numerator / denominator
    end as value,
    case
        when not is_recorded then 'not_applicable'
        when not has_denominator then 'ok'
        when denominator <= 0 then 'not_applicable'
        when denominator < min_n then 'small_n'
        else 'ok'
    end as status,
    is_recorded,
    recorded_count,
    reported_count
from figure
