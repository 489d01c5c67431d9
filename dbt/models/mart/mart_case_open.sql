-- what the stock of int_case_day holds at the horizon, case by case
with candidate as (
    select * from {{ ref('int_case_unclosed') }}
    union all
    select * from {{ ref('int_case_late_end') }}
),

labelled as (
    select
        c.*,
        s.as_of
    from candidate as c
    cross join {{ ref('mart_state') }} as s
    where
        {{ local_day('c.opened_at') }} <= {{ local_day('s.as_of') }}
        and (c.ended_at is null or {{ local_day('c.ended_at') }} > {{ local_day('s.as_of') }})
),

-- the band of each day of opening, the oldest band by its youngest day: an equality to join by, where a range would sort all cases
oldest as (
    select
        {{ local_day('s.as_of') }} as last_day,
        {{ add_days(local_day('s.as_of'), '-max(b.min_days)') }} as first_day
    from {{ ref('mart_state') }} as s
    cross join {{ ref('age_band') }} as b
    group by s.as_of
),

spine as (
    {{ day_spine('first_day', 'last_day', 'oldest') }}
),

band as (
    select
        d.day,
        b.age_band_no,
        {{ label_pair('age_band_name', 'b', 'b.code') }}
    from spine as d
    cross join oldest as o
    inner join {{ ref('age_band') }} as b
        on
            {{ day_number('o.last_day') }} - {{ day_number('d.day') }} >= b.min_days
            and (b.max_days is null or {{ day_number('o.last_day') }} - {{ day_number('d.day') }} <= b.max_days)
)

select
    c.case_id,
    c.month,
    c.reported_at,
    c.opened_at,
    c.dispatched_at,
    c.handled_at,
    c.closed_at,
    c.handle_due_at,
    c.close_due_at,
    {{ day_number(local_day('c.as_of')) }} - {{ day_number(local_day('c.opened_at')) }} as age_days,
    b.age_band_no,
    {{ carried_pairs('b', ['age_band_name']) }},
    case when c.close_due_at is not null then c.close_due_at <= c.as_of end as is_overdue,
    c.urgency_code = 'urgent' as is_urgent,
    c.is_supervised,
    c.stage_no,
    c.class_id,
    {{ carried_pairs('c', ['class_name', 'large_class_name']) }},
    c.class_kind,
    {{ carried_pairs('c', ['class_kind_name']) }},
    c.channel_code,
    {{ carried_pairs('c', ['channel_name']) }},
    c.status_code,
    {{ carried_pairs('c', ['status_name']) }},
    c.urgency_code,
    {{ carried_pairs('c', ['urgency_name']) }},
    c.dept_id,
    {{ carried_pairs('c', ['dept_name']) }},
    c.grid_id,
    c.community_id,
    {{ carried_pairs('c', ['community_name']) }},
    c.street_id,
    {{ carried_pairs('c', ['street_name']) }},
    c.district_id,
    {{ carried_pairs('c', ['district_name']) }},
    c.lon,
    c.lat,
    c.rework_count,
    c.return_count,
    c.source_system
from labelled as c
cross join oldest as o
left join band as b on greatest({{ local_day('c.opened_at') }}, o.first_day) = b.day
