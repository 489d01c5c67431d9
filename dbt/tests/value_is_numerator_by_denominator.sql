select
    v.indicator_code,
    v.area_level,
    v.area_id,
    v.dept_id,
    v.period_kind,
    v.period_start,
    v.value
from {{ ref('indicator_value') }} as v
inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
where
    v.value is distinct from
    case
        when d.denominator_measure is null then d.factor * v.numerator
        when v.denominator > 0 then d.factor * v.numerator / v.denominator
    end
    -- a part of the same things cannot be more than all of them; reworks of the cases handled can
    or (d.is_share and v.numerator > v.denominator)
