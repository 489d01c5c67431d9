{#
    No two rows have the same values of `columns`; an empty value is a value.

    newest, months: look only at the last months of the data by that column (a month as text, a day or a time), where looking at
    all rows would make every build look at all cases.
#}
{% test one_row_per(model, columns, newest=none, months=1) %}
select
    {{ columns | join(',\n    ') }},
    count(*) as row_count
from {{ model }}
{%- if newest %}
where {{ newest }} >= {{ first_of_newest_months(months, is_text=newest == 'month') }}
{%- endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
