-- every data set that the city has a contract for, also those that nobody has delivered yet
with loads as (
    select
        *,
        max(load_seq) over (partition by source, dataset) as newest_seq
    from {{ source('ops', 'load') }}
),

delivered as (
    select
        source,
        dataset,
        count(*) as delivery_count,
        sum(read_count) as read_count,
        sum(accepted_count) as accepted_count,
        sum(quarantined_count) as quarantined_count,
        -- the last by the lake's sequence: a clock that was ahead would hide what came after
        max(case when load_seq = newest_seq then loaded_at end) as last_loaded_utc
    from loads
    group by source, dataset
)

select
    l.source,
    {{ label_pair('source_system_name', 's', 'l.source') }},
    d.code as dataset,
    {{ label_pair('dataset_name', 'd', 'd.code') }},
    coalesce(l.delivery_count, 0) as delivery_count,
    cast(coalesce(l.read_count, 0) as bigint) as read_count,
    cast(coalesce(l.accepted_count, 0) as bigint) as accepted_count,
    cast(coalesce(l.quarantined_count, 0) as bigint) as quarantined_count,
    100.0 * l.quarantined_count / nullif(l.read_count, 0) as quarantined_pct,
    {{ city_time('l.last_loaded_utc') }} as last_loaded_at,
    {{ epoch_seconds('l.last_loaded_utc') }} as last_loaded_seconds,
    d.frequency_hours + d.lateness_hours as allowed_hours
from {{ ref('data_set') }} as d
left join delivered as l on d.code = l.dataset
left join {{ ref('source_system') }} as s on d.city = s.city and l.source = s.code
where d.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
