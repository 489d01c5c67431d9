select
    c.class_id,
    coalesce(c.name_zh, c.name_en, c.code) as name_zh,
    coalesce(c.name_en, c.name_zh, c.code) as name_en,
    -- a class of the city's own belongs to no large class of a standard; its kind is the nearest there is
    coalesce(c.large_name_zh, c.large_name_en, k.name_zh, k.name_en) as large_class_name_zh,
    coalesce(c.large_name_en, c.large_name_zh, k.name_en, k.name_zh) as large_class_name_en,
    k.code as class_kind,
    {{ label_pair('class_kind_name', 'k', 'k.code') }}
from {{ ref('dim_class') }} as c
inner join {{ ref('code_label') }} as k
    on k.list = 'class_kind' and k.code = case when c.class_id = 'unmapped' then 'unmapped' else c.kind end
