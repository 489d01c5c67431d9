-- What a source file declares under `records` stands in the rows: where 20 rows or more of a source's newest landing should show a thing and none
-- does, the source has stopped recording it, or never did, and figures would take the silence for a fact. It stands behind all models and
-- holds back none of them ({{ ref('mart_public_index') }}).
with {{ landed_rows() }},

counted as (
    {%- for kind in ['case', 'permit'] %}
    {%- set last = loop.last %}
    {%- for record, should, shows, _ in told_records(kind) if should %}
    select
        r.source_system,
        '{{ record }}' as record,
        count(*) as row_count,
        sum(case when {{ shows }} then 1 else 0 end) as value_count
    from landed_{{ kind }} as r
    inner join {{ ref('source_record') }} as d
        on
            r.source_system = d.source_system
            and d.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}' and d.record = '{{ record }}'
            and (d.since_date is null or {{ local_day('r.told_at') }} >= d.since_date)
    where {{ should }}
    group by r.source_system
    {{ 'union all' if not (last and loop.last) }}
    {%- endfor %}
    {%- endfor %}
)

select
    source_system,
    record,
    row_count
from counted
where row_count >= 20 and value_count = 0
