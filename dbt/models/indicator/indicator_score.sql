{{ config(materialized='view') }}

-- goalposts are fixed in the definition's version: a score means the same next month and in another district
select
    v.indicator_code,
    v.definition_version,
    v.area_level,
    v.area_id,
    v.dept_id,
    v.period_kind,
    v.period_start,
    v.numerator,
    v.denominator,
    v.value,
    v.status,
    v.is_recorded,
    v.recorded_count,
    v.reported_count,
    case
        when v.status = 'ok' and d.direction in ('higher', 'lower')
            then round(greatest(0.0, least(100.0, 100.0 * (v.value - d.floor) / (d.target - d.floor))), 4)
    end as score
from {{ ref('indicator_value') }} as v
inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
