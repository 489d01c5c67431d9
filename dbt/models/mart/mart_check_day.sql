with results as (
    select
        check_id,
        kind,
        layer,
        dataset,
        case when is_passed then 'passed' else severity end as state,
        {{ local_day(city_time('checked_at')) }} as day,
        result_seq
    from {{ source('ops', 'quality_result') }}
),

ranked as (
    select
        *,
        row_number() over (partition by check_id, day order by result_seq desc nulls last) as rank_of_day
    from results
),

-- a result is kept when it differs from the one before: it holds until the next
held as (
    select
        check_id,
        kind,
        layer,
        dataset,
        state,
        day,
        lead(day) over (partition by check_id order by day) as next_day
    from ranked
    where rank_of_day = 1
),

counted as (
    select
        d.day,
        h.kind,
        h.layer,
        h.dataset,
        h.state,
        count(*) as check_count
    from (select distinct day from results) as d
    inner join held as h on d.day >= h.day and (h.next_day is null or d.day < h.next_day)
    group by d.day, h.kind, h.layer, h.dataset, h.state
)

select
    c.day,
    c.kind,
    {{ label_pair('kind_name', 'check_kind', 'c.kind') }},
    c.layer,
    c.dataset,
    {{ label_pair('dataset_name', 'd', 'c.dataset') }},
    c.state,
    {{ label_pair('state_name', 'check_state', 'c.state') }},
    c.check_count
from counted as c
left join {{ ref('data_set') }} as d
    on c.layer = 'raw' and c.dataset = d.code and d.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
{{ join_labels('check_kind', 'c.kind') }}
{{ join_labels('check_state', 'c.state') }}
