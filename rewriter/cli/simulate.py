"""`rewriter simulate`: run a saved Core ML program on arrays from a file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors
from rewriter.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from rewriter.coreml.simulator import SimulatedModel
    from rewriter.coreml.simulator.float16_report import Float16Report
    from rewriter.coreml.simulator.neuralnetwork import SimulatedNetwork


@click.command()
@click.argument("source", metavar="FILE.mlpackage|mlmodel", type=click.Path(path_type=Path))
@click.option(
    "--inputs",
    required=True,
    metavar="IN.npz",
    type=click.Path(path_type=Path),
    help="Arrays named CASE/in/NAME, or just NAME.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT.npz",
    type=click.Path(path_type=Path),
    help="Gets arrays named CASE/out/NAME, or just NAME.",
)
@click.option(
    "--precision",
    default="as_saved",
    show_default=True,
    type=click.Choice(["as_saved", "float32"]),
    help="Round to the program's own types after each operator, or keep float32 where it says float16.",
)
@click.option("--function", metavar="NAME", help="Which function of a multi-function program to run.")
@click.option(
    "--trace",
    multiple=True,
    metavar="NAME",
    help="Write this intermediate tensor too; repeatable, 'all' for every one.",
)
@click.option(
    "--float16-report",
    is_flag=True,
    help="Also run in float32, and list where float16 overflows, underflows or changes the largest entry.",
)
@json_option
def command(
    source: Path,
    inputs: Path,
    output: Path,
    precision: str,
    function: str | None,
    trace: tuple[str, ...],
    float16_report: bool,
    json_path: str | None,
) -> None:
    """Run a Core ML model on any machine."""
    with reporting_errors(json_path):
        from rewriter.atomic import write_bytes
        from rewriter.coreml.simulator import load

        cases = _read_cases(inputs)
        out = console(json_path)
        with out.status("reading the program") as status:
            model = load(source, precision=precision, function=function)  # type: ignore[arg-type]
            results: dict[str, np.ndarray] = {}
            for number, (case, arrays) in enumerate(cases.items(), start=1):
                status.update(f"running case {number}/{len(cases)}")
                found = model.predict(arrays, trace="all" if "all" in trace else trace)
                for name, value in found.items():
                    results.update(_as_arrays(f"{case}/out/{name}" if case else name, value))
            reports = _float16_reports(model, cases) if float16_report else None
        write_bytes(output, _npz(results))
        _print(out, model, results, output)
        payload = _payload(model, list(cases), results, output)
        if reports is not None:
            _print_reports(out, reports)
            payload["float16"] = {case: report.to_json() for case, report in reports.items()}
        emit_json(payload, json_path)


def _float16_reports(
    model: SimulatedModel | SimulatedNetwork, cases: dict[str, dict[str, np.ndarray]]
) -> dict[str, Float16Report]:
    """What float16 costs in each case.

    Raises:
        UsageError: the program computes in float32, or was asked to.
    """
    from rewriter.coreml.simulator import SimulatedModel, load
    from rewriter.coreml.simulator.float16_report import compare_precisions

    if not isinstance(model, SimulatedModel) or model.compute_precision != "float16":
        raise UsageError(
            "nothing is rounded to float16 here, so there is nothing to report",
            file=model.path,
            remedy="use a float16 program, and leave --precision as it is",
        )
    exact = load(model.path, precision="float32", function=model.function)
    assert isinstance(exact, SimulatedModel)
    return {case: compare_precisions(model, exact, arrays) for case, arrays in cases.items()}


def _print_reports(out: Any, reports: dict[str, Float16Report]) -> None:
    for case, report in reports.items():
        place = f"{case}: " if case else ""
        for finding in report.findings:
            what = f"{finding.kind} in {finding.entries} of {finding.size}"
            out.print(f"float16: {place}{finding.tensor}: {what}", markup=False)
        for name, difference in report.largest_difference.items():
            out.print(f"float16: {place}{name}: differs from float32 by {difference:.3g}", markup=False)


def _read_cases(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Input arrays by case and name; the case of plain names is ''.

    Raises:
        InputError: missing, not an .npz file, or without inputs.
    """
    from rewriter.archive import read_npz

    arrays = read_npz(path)
    cases: dict[str, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        case, marker, name = key.partition("/in/")
        if marker:
            cases.setdefault(case, {})[name] = value
    if cases:
        return cases
    plain = {key: value for key, value in arrays.items() if key != "meta" and "/out/" not in key}
    if not plain:
        raise InputError("holds no inputs", file=path, remedy="name them CASE/in/NAME, or just NAME")
    return {"": plain}


def _as_arrays(name: str, value: Any) -> dict[str, np.ndarray]:
    """An output as arrays; a classifier's probabilities by label become values and, beside them, labels."""
    import numpy as np

    if not isinstance(value, dict):
        return {name: np.asarray(value)}
    return {name: np.array(list(value.values())), f"{name}.labels": np.array(list(value))}


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, value in arrays.items():
            # Written one by one: np.savez takes names as keyword arguments and so cannot take "file".
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, value, allow_pickle=False)
    return buffer.getvalue()


def _print(
    out: Any, model: SimulatedModel | SimulatedNetwork, results: dict[str, np.ndarray], output: Path
) -> None:
    for name, value in results.items():
        out.print(f"{name}: {value.dtype} {list(value.shape)}", markup=False)
    for reason in model.unproven:
        out.print(f"unproven: {reason}", markup=False)
    out.print(f"wrote {output} (simulated, {model.precision})", markup=False)


def _payload(
    model: SimulatedModel | SimulatedNetwork, cases: list[str], results: dict[str, np.ndarray], output: Path
) -> dict[str, Any]:
    return {
        "model": str(model.path),
        "output": str(output),
        "simulated": model.simulated,
        "precision": model.precision,
        "function": model.function,
        "unproven": model.unproven,
        "cases": cases,
        "arrays": [
            {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
            for name, value in results.items()
        ],
    }
