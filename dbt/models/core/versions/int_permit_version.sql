select
    {{ column_names('permit') | join(',\n    ') }}
from (
    {{ feed('permit') }}
) as fed
