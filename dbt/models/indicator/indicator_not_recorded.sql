{{ config(materialized='view') }}

select
    d.code as indicator_code,
    d.version as definition_version,
    r.code as record_code,
    r.name_zh,
    r.name_en
from {{ ref('indicator_definition') }} as d
inner join {{ ref('code_label') }} as r on r.list = 'record' and {{ has_word('d.needs', 'r.code') }}
where not exists (
    select 1 from {{ ref('source_record') }} as s
    where s.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}' and s.record = r.code
)
