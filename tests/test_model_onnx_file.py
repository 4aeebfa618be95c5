import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ModelError
from asr.model.onnx_file import is_onnx, read_texts

onnx = pytest.importorskip("onnx")


def content(texts, weights=300):
    helper = onnx.helper
    value = helper.make_tensor("w", onnx.TensorProto.FLOAT, [weights], [1.0] * weights)
    node = helper.make_node("Identity", ["w"], ["y"])
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [weights])
    graph = helper.make_graph([node], "g", [], [output], [value])
    model = helper.make_model(graph, doc_string="about")
    helper.set_model_props(model, texts)
    return model.SerializeToString()


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_texts(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("file") / "model.onnx"
    path.write_bytes(content(texts))
    assert read_texts(path) == texts


@pytest.mark.parametrize("cut", [1, 100, 1000])
def test_a_file_cut_short(tmp_path, cut):
    path = tmp_path / "model.onnx"
    path.write_bytes(content({"key": "value"})[:-cut])
    with pytest.raises(ModelError, match=r"model.onnx: is not a whole ONNX file"):
        read_texts(path)


@given(st.binary(max_size=60))
def test_other_files(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("file") / "model.onnx"
    path.write_bytes(data)
    try:
        assert isinstance(read_texts(path), dict)
    except ModelError as error:
        assert "ONNX" in str(error)


def test_names(tmp_path):
    assert is_onnx(tmp_path / "a.ONNX")
    assert not is_onnx(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="No such file"):
        read_texts(tmp_path / "gone.onnx")
