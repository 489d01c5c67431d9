-- whoever may see a public chart can ask for every column of its data set, so there are none here but those that are published
select
    month,
    period_start,
    area_level,
    level_name_zh,
    level_name_en,
    area_id,
    area_name_zh,
    area_name_en,
    node,
    node_no,
    node_name_zh,
    node_name_en,
    score,
    grade,
    grade_name_zh,
    grade_name_en,
    coverage,
    not_recorded_zh,
    not_recorded_en
from {{ ref('mart_index') }}
where area_level in ('city', 'district') and dept_id = '*' and period_kind = 'month' and not is_provisional
