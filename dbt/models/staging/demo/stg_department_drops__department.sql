select
    cast('department_drops' as varchar) as source_system,
    cast(raw.dept_code as varchar) as dept_id,
    cast(raw.dept_name as varchar) as dept_name_zh,
    cast(raw.dept_name_en as varchar) as dept_name_en,
    cast(raw.parent_code as varchar) as parent_dept_id,
    cast(raw.dept_kind as varchar) as dept_kind,
    -- the list tells no time of change: the later delivery wins
    cast(null as timestamp) as version_at,
    cast(raw._delivery_id as varchar) as _delivery_id,
    cast(raw._load_seq as bigint) as _load_seq,
    cast(raw._delivery_no as integer) as _delivery_no,
    cast(raw._source_row as bigint) as _source_row,
    cast(raw._is_deleted as boolean) as _is_deleted
from {{ source('raw', 'department_list') }} as raw
