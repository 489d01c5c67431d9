with newest as (
    select
        *,
        case when is_passed then 'passed' else severity end as state,
        -- 'required:order_no': what is demanded, and of which field or by which rule
        split_part(rule, ':', 1) as rule_kind,
        nullif(split_part(rule, ':', 2), '') as rule_subject,
        row_number() over (partition by check_id order by result_seq desc nulls last) as result_rank
    from {{ source('ops', 'quality_result') }}
),

source_of as (
    select dataset, min(source) as source
    from {{ source('ops', 'load') }}
    group by dataset
)

select
    r.check_id,
    r.kind,
    {{ label_pair('kind_name', 'check_kind', 'r.kind') }},
    r.layer,
    case when r.layer = 'raw' then l.source end as source,
    {{ label_pair('source_system_name', 's', "case when r.layer = 'raw' then l.source end") }},
    r.dataset,
    {{ label_pair('dataset_name', 'd', 'r.dataset') }},
    r.rule,
    coalesce(
        check_rule.name_zh,
        rule_kind.name_zh || coalesce('：' || coalesce(i.name_zh, r.rule_subject), ''),
        r.rule
    ) as rule_name_zh,
    coalesce(
        check_rule.name_en,
        rule_kind.name_en || coalesce(': ' || coalesce(i.name_en, r.rule_subject), ''),
        r.rule
    ) as rule_name_en,
    r.severity,
    r.is_passed,
    r.state,
    {{ label_pair('state_name', 'check_state', 'r.state') }},
    r.checked_count,
    r.failed_count,
    100.0 * r.failed_count / nullif(r.checked_count, 0) as failed_pct,
    coalesce({{ filled_sentence('t.text_zh', 'r.text_values') }}, r.text_code) as message_zh,
    coalesce({{ filled_sentence('t.text_en', 'r.text_values') }}, r.text_code) as message_en,
    {{ city_time('r.checked_at') }} as checked_at
from newest as r
left join source_of as l on r.dataset = l.dataset
left join {{ ref('data_set') }} as d
    on r.layer = 'raw' and r.dataset = d.code and d.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
left join {{ ref('source_system') }} as s
    on r.layer = 'raw' and l.source = s.code and s.city = '{{ env_var("GRIDLAKE_CITY", "demo") }}'
left join {{ ref('data_item') }} as i
    on
        r.layer = 'raw'
        and r.dataset = i.dataset
        and r.rule_subject = i.code
        and i.kind = case when r.rule_kind = 'rule' then 'rule' else 'field' end
left join {{ ref('check_text') }} as t on r.text_code = t.code
{{ join_labels('check_kind', 'r.kind') }}
{{ join_labels('check_state', 'r.state') }}
{{ join_labels('check_rule', 'r.rule') }}
{{ join_labels('check_rule', 'r.rule_kind', alias='rule_kind') }}
where r.result_rank = 1 and not coalesce(r.is_closed, false)
