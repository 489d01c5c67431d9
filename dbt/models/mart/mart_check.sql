with newest as (
    select
        *,
        case when is_passed then 'passed' else severity end as state,
        row_number() over (partition by check_id order by checked_at desc, data_position desc) as result_rank
    from {{ source('ops', 'quality_result') }}
),

source_of as (
    select dataset, min(source) as source
    from {{ source('ops', 'load') }}
    group by dataset
)

select
    r.check_id,
    r.kind,
    {{ label_pair('kind_name', 'check_kind', 'r.kind') }},
    r.layer,
    case when r.layer = 'raw' then l.source end as source,
    {{ label_pair('source_system_name', 's', "case when r.layer = 'raw' then l.source end") }},
    r.dataset,
    {{ label_pair('dataset_name', 'd', 'r.dataset') }},
    r.rule,
    r.severity,
    r.is_passed,
    r.state,
    {{ label_pair('state_name', 'check_state', 'r.state') }},
    r.checked_count,
    r.failed_count,
    100.0 * r.failed_count / nullif(r.checked_count, 0) as failed_pct,
    r.message,
    {{ city_time('r.checked_at') }} as checked_at
from newest as r
left join source_of as l on r.dataset = l.dataset
left join {{ ref('data_set') }} as d
    on r.layer = 'raw' and r.dataset = d.code and d.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
left join {{ ref('source_system') }} as s
    on r.layer = 'raw' and l.source = s.code and s.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
{{ join_labels('check_kind', 'r.kind') }}
{{ join_labels('check_state', 'r.state') }}
where r.result_rank = 1
