select
    {{ column_names('permit') | join(',\n    ') }},
    {{ is_superseded('_delivery_id') }} as _is_superseded
from (
    {{ feed('permit') }}
) as fed
