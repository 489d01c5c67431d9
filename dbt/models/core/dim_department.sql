with newest as (
    {{ latest(ref('int_department_version'), ['dept_id'], column_names('department', said=true)) }}
)

select
    dept_id,
    dept_name_zh,
    dept_name_en,
    parent_dept_id,
    dept_kind
from newest
union all
select
    'unmapped' as dept_id,
    '未映射' as dept_name_zh,
    'unmapped' as dept_name_en,
    cast(null as {{ column_type('text') }}) as parent_dept_id,
    'none' as dept_kind
where not exists (select 1 from newest where dept_id = 'unmapped')
