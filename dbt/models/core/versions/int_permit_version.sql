select
    {{ column_names('permit') | join(',\n    ') }},
    {{ is_superseded('_delivery_id') }} as _is_superseded,
    {{ has_ended('_delivery_id') }} as _has_ended
from (
    {{ feed('permit') }}
) as fed
