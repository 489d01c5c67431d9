-- by the month of reporting, and nothing in it moves with the horizon: the serving file keeps it in parts
with unclosed as (
    select
        c.*,
        {{ opened_at() }} as opened_at,
        {{ ended_at() }} as ended_at
    from {{ ref('fct_case') }} as c
    where c.closed_at is null and c.is_filed and not c.is_cancelled and {{ is_stock_recorded() }}
)

{{ labelled_cases('unclosed', carried=['opened_at', 'ended_at']) }}
