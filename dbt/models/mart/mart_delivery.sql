select
    l.source,
    {{ label_pair('source_system_name', 's', 'l.source') }},
    l.dataset,
    {{ label_pair('dataset_name', 'd', 'l.dataset') }},
    l.delivery_id,
    {{ city_time('l.loaded_at') }} as loaded_at,
    {{ local_day(city_time('l.loaded_at')) }} as day,
    l.read_count,
    l.accepted_count,
    l.quarantined_count,
    l.deleted_count,
    100.0 * l.quarantined_count / nullif(l.read_count, 0) as quarantined_pct,
    cast({{ json_number_sum('l.fix_counts') }} as bigint) as fix_count,
    {{ list_length('l.unknown_columns') }} > 0 as is_with_unknown_columns
from {{ source('ops', 'load') }} as l
left join {{ ref('data_set') }} as d on l.city = d.city and l.dataset = d.code
left join {{ ref('source_system') }} as s on l.city = s.city and l.source = s.code
