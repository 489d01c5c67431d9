-- The city's services name units by acronym only, so the list of units is ours.
select
    cast('dc_agency' as varchar) as source_system,
    cast(dept_id as varchar) as dept_id,
    cast(dept_name_zh as varchar) as dept_name_zh,
    cast(dept_name_en as varchar) as dept_name_en,
    cast(parent_dept_id as varchar) as parent_dept_id,
    cast(dept_kind as varchar) as dept_kind,
    cast('2016-08-16' as timestamp) as version_at,
    cast(null as varchar) as _delivery_id,
    cast(0 as bigint) as _load_seq,
    cast(0 as integer) as _delivery_no,
    cast(0 as bigint) as _source_row,
    false as _is_deleted
from {{ ref('washington_dc__department') }}
