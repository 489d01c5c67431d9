select
    {{ column_names('department') | join(',\n    ') }},
    {{ is_superseded('_delivery_id') }} as _is_superseded
from (
    {{ feed('department') }}
) as fed
