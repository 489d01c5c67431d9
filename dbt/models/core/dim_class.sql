with standard as (
    select
        edition,
        kind,
        code,
        name_zh,
        name_en,
        large_code,
        large_name_zh,
        large_name_en,
        dept_key,
        source,
        confidence
    from {{ ref('class_standard') }}
),

-- what a city's sources know and no standard does: its own classes, by the names its sources give them
local_class as (
    select
        edition,
        kind,
        code,
        min(source_name) as source_name
    from (
        {{ feed('class_map') }}
    ) as mapped
    where mapping_method = 'local' and code is not null
    group by edition, kind, code
)

select
    edition || ':' || kind || ':' || code as class_id,
    edition,
    kind,
    code,
    name_zh,
    name_en,
    large_code,
    large_name_zh,
    large_name_en,
    dept_key,
    source,
    confidence
from standard
union all
select
    l.edition || ':' || l.kind || ':' || l.code as class_id,
    l.edition,
    l.kind,
    l.code,
    l.source_name as name_zh,
    l.source_name as name_en,
    cast(null as {{ column_type('text') }}) as large_code,
    cast(null as {{ column_type('text') }}) as large_name_zh,
    cast(null as {{ column_type('text') }}) as large_name_en,
    cast(null as {{ column_type('text') }}) as dept_key,
    'local class of the city' as source,
    'local' as confidence
from local_class as l
left join standard as s on l.edition = s.edition and l.kind = s.kind and l.code = s.code
where s.code is null
union all
select
    'unmapped' as class_id,
    'none' as edition,
    'request' as kind,
    'unmapped' as code,
    '未映射' as name_zh,
    'unmapped' as name_en,
    cast(null as {{ column_type('text') }}) as large_code,
    cast(null as {{ column_type('text') }}) as large_name_zh,
    cast(null as {{ column_type('text') }}) as large_name_en,
    cast(null as {{ column_type('text') }}) as dept_key,
    'GridLake: a source code without a mapping' as source,
    'ours' as confidence
