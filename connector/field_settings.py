"""The part of an account's settings that says which of the CRM's own fields hold what.

Its keys stand below ``fields:`` of an account in config.yaml; see :mod:`connector.account_settings`.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.values import Figure, Language
from workflows.said import Said


class ConfigModel(BaseModel):
    """Base of all parts of the configuration: frozen, unknown keys refused, numbers taken where a name is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)


class FieldsConfig(ConfigModel):
    """Which of the CRM's own fields hold what."""

    contract_end: str | None = Field(
        default=None,
        description="Deal field with the end of the contract; by default the close date.",
        examples=["contract_end_date"],
    )
    exit_reason: str | None = Field(
        default=None,
        description="Deal field with the reason for leaving, as your team fills it.",
        examples=["exit_reason"],
    )
    language: str | None = Field(
        default=None,
        description="Contact field with the language, where you keep one of your own.",
        examples=["language"],
    )
    exit_rights: str | None = Field(
        default=None,
        description="Deal field that says whether the contract is in scope of exit rights: a tick box, or yes and no.",
        examples=["in_scope_of_data_act"],
    )
    figures: tuple[Figure, ...] = Field(
        default=(),
        description="Key figures for reports: company.<field> or deal.<field>.",
        examples=[["company.active_users", "deal.nps_start"]],
    )
    figure_names: dict[Figure, dict[Language, str]] = Field(
        default={},
        description="What key figures are called in reports and notes, by language; else as the field's name reads.",
        examples=[{"company.active_users": {"en": "Active users", "fr": "Utilisateurs actifs"}}],
    )

    @model_validator(mode="after")
    def _names_of_figures(self) -> Self:
        other = next((one for one in self.figure_names if one not in self.figures), None)
        if other is not None:
            raise ValueError(
                Said(
                    "figure_names names %(other)s, which is not in figures: add it there, or take the name out",
                    other=other,
                )
            )
        return self
