{{ config(severity='warn') }}
-- What the rows of a source's newest landing show is declared under `records` of its source file; what is not declared counts nowhere.
-- It stands behind all models, as the other direction does ({{ ref('mart_public_index') }}).
with {{ landed_rows() }},

shown as (
    {%- for kind in ['case', 'permit'] %}
    {%- set last = loop.last %}
    {%- for record, _, _, shows in told_records(kind) %}
    select
        source_system,
        '{{ record }}' as record,
        count(*) as value_count
    from landed_{{ kind }}
    where {{ shows }}
    group by source_system
    {{ 'union all' if not (last and loop.last) }}
    {%- endfor %}
    {%- endfor %}
)

select
    s.source_system,
    s.record,
    s.value_count
from shown as s
left join {{ ref('source_record') }} as d
    on s.source_system = d.source_system and d.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}' and s.record = d.record
where d.record is null
