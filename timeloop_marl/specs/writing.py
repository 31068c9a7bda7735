"""A ``Spec`` as one flat v0.3 document: the inverse of ``reading`` (formats sections 1, 2, 4, 5)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from .architecture_writing import architecture_section
from .constraint_writing import constraint_targets
from .energy_writing import art_section, ert_section
from .mapper import MapperOptions, ModelSection
from .problem import Problem, Term
from .spec import Spec
from .yaml_text import yaml_text

__all__ = ["document", "yaml_text"]


def document(spec: Spec, *, constraints: bool = True, mapper: bool = True) -> dict[str, Any]:
    """Everything a ``Spec`` says, as one document that timeloop-mapper and ``read_spec`` take.

    Reading it gives the same mapspace and costs. What differs afterwards: every level is priced by the ERT (statistics
    name ERT as source instead of PAT), ``attributes`` hold the canonical names beside the free ones, levels of the
    form without version have a class, notices and places of origin are those of the new document. Choices that are not
    in files (``ModelOptions``) are not written. What the native model does not cover is written word for word.

    Args:
        spec: what to write.
        constraints: write loop, bypass and reuse constraints.
        mapper: write the mapper options and the mapspace template.

    Raises:
        SpecError: a name that the tree form or the tables cannot carry.
    """
    result = _machine_and_problem(spec)
    targets = constraint_targets(spec) if constraints else []
    if targets:
        result["architecture_constraints"] = {"targets": targets}
    if mapper:
        result["mapspace"] = {"template": spec.mapper.template}
        result["mapper"] = _mapper_section(spec.mapper)
    model = _changed(spec.model)
    if model:
        result["model"] = model
    return {**result, **({} if spec.beyond else {"ERT": ert_section(spec), "ART": art_section(spec)})}


def _machine_and_problem(spec: Spec) -> dict[str, Any]:
    """Architecture and problem; of a design outside the native model all that was read, tables included."""
    if spec.beyond is not None:
        return dict(spec.beyond.sections)
    return {"architecture": architecture_section(spec), "problem": _problem_section(spec.problem)}


def _problem_section(problem: Problem) -> dict[str, Any]:
    """Shape and instance; coefficients are named after their values, which is all that is known of them."""
    coefficients = {
        term.coefficient: None
        for space in problem.data_spaces
        for rank in space.ranks
        for term in rank
        if term.coefficient != 1
    }
    shape: dict[str, Any] = {"name": problem.name} if problem.name else {}
    shape["dimensions"] = list(problem.dims)
    if coefficients:
        shape["coefficients"] = [{"name": _coefficient(value), "default": value} for value in coefficients]
    shape["data_spaces"] = [
        {
            "name": space.name,
            "projection": [[_term(term, problem) for term in rank] for rank in space.ranks],
            **({"read_write": True} if space.read_write else {}),
        }
        for space in problem.data_spaces
    ]
    return {"shape": shape, "instance": dict(zip(problem.dims, problem.bounds, strict=True))}


def _coefficient(value: int) -> str:
    return f"times_{value}" if value >= 0 else f"times_minus_{-value}"


def _term(term: Term, problem: Problem) -> list[str]:
    dim = problem.dims[term.dim]
    return [dim] if term.coefficient == 1 else [dim, _coefficient(term.coefficient)]


def _mapper_section(options: MapperOptions) -> dict[str, Any]:
    """All options but the template, which belongs to the mapspace, and those whose default cannot be written."""
    section = {field.name: getattr(options, field.name) for field in fields(options)}
    del section["template"]
    if not options.num_threads:  # the number of hardware threads is what the programs take without the key
        del section["num_threads"]
    if options.out_prefix == MapperOptions.out_prefix:
        del section["out_prefix"]
    section["optimization_metrics"] = list(options.optimization_metrics)
    return section


def _changed(section: ModelSection) -> dict[str, Any]:
    values = {field.name: getattr(section, field.name) for field in fields(section)}
    return {name: value for name, value in values.items() if value != getattr(ModelSection, name)}
