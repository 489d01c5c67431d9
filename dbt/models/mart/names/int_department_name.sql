select
    dept_id,
    coalesce(dept_name_zh, dept_name_en, dept_id) as name_zh,
    coalesce(dept_name_en, dept_name_zh, dept_id) as name_en
from {{ ref('dim_department') }}
union all
-- all units together, and none
select
    code as dept_id,
    name_zh,
    name_en
from {{ ref('code_label') }}
where list = 'department' and code not in (select dept_id from {{ ref('dim_department') }})
