with filed as (
    select v.area_level, v.area_id, v.dept_id, v.period_kind, v.period_start, v.numerator
    from {{ ref('indicator_value') }} as v
    inner join {{ ref('indicator_definition') }} as d on v.indicator_code = d.code and v.definition_version = d.version
    where d.numerator_measure = 'filed_count' and d.denominator_measure is null
),

-- beside each month, the score of the month before: none where that is not known, or was not judged
previous as (
    select
        node,
        area_level,
        area_id,
        dept_id,
        {{ next_month_start('period_start') }} as period_start,
        score
    from {{ ref('index_score') }}
    where period_kind = 'month'
)

select
    i.node,
    n.node_no,
    {{ label_pair('node_name', 'n', 'i.node') }},
    i.area_level,
    p.level_no,
    {{ carried_pairs('p', ['level_name']) }},
    i.area_id,
    {{ carried_pairs('p', ['area_name']) }},
    p.district_id,
    {{ carried_pairs('p', ['district_name']) }},
    i.dept_id,
    {{ label_pair('dept_name', 'department', 'i.dept_id') }},
    i.period_kind,
    i.period_start,
    {{ month_text('i.period_start') }} as month,
    {{ is_provisional('i.period_kind', 'i.period_start', 's.as_of') }} as is_provisional,
    i.score,
    previous.score as previous_score,
    i.coverage,
    filed.numerator as filed_count,
    i.grade,
    i.not_recorded_zh,
    i.not_recorded_en,
    coalesce(g.name_zh, grade.name_zh, i.grade) as grade_name_zh,
    coalesce(g.name_en, grade.name_en, i.grade) as grade_name_en
from {{ ref('index_score') }} as i
cross join {{ ref('mart_state') }} as s
left join filed
    on
        i.area_level = filed.area_level and i.area_id = filed.area_id
        and i.dept_id = filed.dept_id and i.period_kind = filed.period_kind and i.period_start = filed.period_start
left join previous
    on
        i.period_kind = 'month' and i.node = previous.node and i.area_level = previous.area_level
        and i.area_id = previous.area_id and i.dept_id = previous.dept_id and i.period_start = previous.period_start
left join {{ ref('index_node') }} as n on i.node = n.code
left join {{ ref('int_area_place') }} as p on i.area_id = p.area_id
left join {{ ref('int_department_name') }} as department on i.dept_id = department.dept_id
left join {{ ref('index_grade') }} as g on i.grade = g.code
{{ join_labels('grade', 'i.grade') }}
where {{ is_shown_place('i') }}
