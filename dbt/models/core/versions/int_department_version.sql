select
    {{ column_names('department') | join(',\n    ') }},
    {{ is_superseded('_delivery_id') }} as _is_superseded,
    {{ superseded_order('_delivery_id') }} as _superseded_order,
    {{ has_ended('_delivery_id') }} as _has_ended
from (
    {{ feed('department') }}
) as fed
