select
    area_id,
    coalesce(area_name_zh, area_name_en, area_id) as name_zh,
    coalesce(area_name_en, area_name_zh, area_id) as name_en
from {{ ref('dim_area') }}
union all
-- for what lies in no area of a level that the city has
select
    'none:' || levels.area_level as area_id,
    label.name_zh,
    label.name_en
from (select distinct area_level from {{ ref('dim_area') }}) as levels
cross join (select name_zh, name_en from {{ ref('code_label') }} where list = 'area' and code = 'none') as label
